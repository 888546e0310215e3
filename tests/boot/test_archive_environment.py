"""The environment's own recipe, as a host finds it: in an unpacked archive, without a checkout."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from components.archive import pack
from components.environment import SOURCES
from tests.boot.machine import IMAGES

ROOT = Path(__file__).parent.parent.parent
REQUIREMENTS = "x==1.0 --hash=sha256:0\n"


def test_a_host_finds_the_identity_that_the_program_found(tmp_path: Path) -> None:
    assert {path.name for path in IMAGES.iterdir()} >= SOURCES.keys()
    texts = {"requirements.txt": REQUIREMENTS, "extra.txt": "", "dask.yaml": ""}
    unpacked = tmp_path / "archive-0123"
    unpacked.mkdir()
    data = pack(texts, root=ROOT)
    subprocess.run(["tar", "-xf", "-", "-C", unpacked], input=data, check=True)
    python = str(Path(sys.executable).resolve())
    command = [str(unpacked / "environment" / "install.sh"), "--identity", "--python", python]
    done = subprocess.run(
        [*command, "--requirements", str(unpacked / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    given = tmp_path / "requirements.txt"
    given.write_text(REQUIREMENTS)
    recipe = [python, "-B", str(ROOT / "images" / "environment" / "identity.py")]
    here = subprocess.run(
        [*recipe, "--requirements", str(given), "--python", "3.11"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == here.stdout


def test_what_builds_images_is_in_no_archive() -> None:
    """Else an edit of the Dockerfile would replace the scheduler of each stack on AWS."""
    with tarfile.open(fileobj=io.BytesIO(pack({}, root=ROOT))) as tar:
        names = tar.getnames()
    assert "environment/install.sh" in names
    assert not [name for name in names if "Dockerfile" in name or name.startswith("jupyter")]

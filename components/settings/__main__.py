"""`python -m components.settings`: check stack files, print or renew what is generated."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components.settings import SettingsError, document, load_file

STACKS = Path(__file__).resolve().parents[2] / "stacks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 1 where a stack file is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m components.settings", description=__doc__)
    parser.add_argument("--schema", action="store_true", help="print the JSON schema")
    parser.add_argument("--table", action="store_true", help="print the Markdown table")
    parser.add_argument("--write", action="store_true", help="renew both in stacks/")
    parser.add_argument("files", nargs="*", type=Path, help="stack files to check")
    chosen = parser.parse_args(arguments)
    if not (chosen.schema or chosen.table or chosen.write or chosen.files):
        parser.print_usage(sys.stderr)
        return 2
    if chosen.schema:
        sys.stdout.write(document.schema_text())
    if chosen.table:
        sys.stdout.write(document.table())
    if chosen.write:
        write(STACKS)
    return max([_check(each) for each in chosen.files], default=0)


def write(folder: Path) -> None:
    """Renew the schema and the README's table in a folder of stack files."""
    (folder / "schema.json").write_text(document.schema_text(), encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(document.with_table(text), encoding="utf-8")


def _check(path: Path) -> int:
    try:
        load_file(path)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}: right\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The Pulumi program: settings of the stack in, a Dask cluster and its addresses out."""

import pulumi

from components.cluster import DaskCluster
from components.stack_config import load_settings

cluster = DaskCluster("dask", settings=load_settings())
for name, value in cluster.outputs.items():
    pulumi.export(name, value)

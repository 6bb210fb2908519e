"""Directories, sandbox, supervisor and log shim of the programs that run on a machine: shared by engine and agent.

Invariant: nothing here decides *what* should run; it names where things lie and runs what it is told, bounded.
"""

from slipway_workloads.layout import Layout, ReleaseDirectory, ServiceDirectory
from slipway_workloads.records import Bind, DatabaseRecord, ImageRoot, Launch, Release, ServiceMeta, Status
from slipway_workloads.sandbox import Isolation, Sandbox, best_isolation, sandbox_works
from slipway_workloads.supervision import Supervisor, SupervisorConfig, shim_command, start_supervisor

__all__ = [
    "Bind",
    "DatabaseRecord",
    "ImageRoot",
    "Isolation",
    "Launch",
    "Layout",
    "Release",
    "ReleaseDirectory",
    "Sandbox",
    "ServiceDirectory",
    "ServiceMeta",
    "Status",
    "Supervisor",
    "SupervisorConfig",
    "best_isolation",
    "sandbox_works",
    "shim_command",
    "start_supervisor",
]

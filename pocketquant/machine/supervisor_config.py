"""The configuration file that supervisord is started with."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.machine.programs import NUMBER, Program

_PROCESS_NUMBER = "%(process_num)d"  # filled in by supervisord
_MOST_LOG_BYTES = 20_000_000
_OLD_LOGS = 2  # kept beside the current one, of the same size

_HEADER = """\
[unix_http_server]
file={folder}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/supervisor.sock

[supervisord]
logfile={folder}/logs/supervisord.log
pidfile={folder}/supervisord.pid
minfds=4096
"""

_PROGRAM = """\
[program:{name}]
command={command}
process_name=%(program_name)s-%(process_num)d
numprocs={count}
autorestart=true
startsecs=2
startretries=1000000000
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={most_bytes}
stdout_logfile_backups={old_logs}
"""


def supervisor_header(folder: Path) -> str:
    """Return the sections about supervisord itself: its socket, log and process id in `folder`."""
    return _HEADER.format(folder=_escaped(str(folder)))


def program_group(
    name: str,
    programs: Sequence[Program],
    priority: int,
    stop_seconds: int,
    log_folder: Path,
) -> str:
    """Return the sections of one group of programs, each restarted when it dies.

    Groups stop one after the other, the highest priority number first; the programs of a group
    stop at the same time. Output goes to `log_folder`, into a file for each process that is rotated
    when it is large.
    """
    if not programs:
        return ""
    names = ",".join(program.name for program in programs)
    sections = [_section(program, stop_seconds, log_folder) for program in programs]
    return "\n".join([f"[group:{name}]\nprograms={names}\npriority={priority}\n", *sections])


def _section(program: Program, stop_seconds: int, log_folder: Path) -> str:
    command = _escaped(shlex.join(ending_with_parent(program.command)))
    log = f"{_escaped(str(log_folder))}/{program.name}-{_PROCESS_NUMBER}.log"
    return _PROGRAM.format(
        name=program.name,
        command=command.replace(NUMBER, _PROCESS_NUMBER),
        count=program.count,
        stop_seconds=stop_seconds,
        log=log,
        most_bytes=_MOST_LOG_BYTES,
        old_logs=_OLD_LOGS,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")

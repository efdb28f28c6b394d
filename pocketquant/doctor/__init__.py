"""`pocketquant doctor` finds the problems of an installation, and names their remedies.

command.py         the command, the list of checks, the report
findings.py        results of checks, and checks in parallel threads with a time limit
installation.py    this machine: packages, files, ports, passwords, private servers
wrong_settings.py  wrong settings, and the defaults to continue with
mongodb.py, redis_servers.py   the servers
fleet.py           workers, beat, streamers
provider.py        TradingView
"""

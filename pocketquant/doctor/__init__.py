"""`pocketquant doctor`: what is wrong with an installation, and how to mend it.

command.py   the command: which checks there are, and the report
findings.py   what a check says, and how checks are run side by side, each bounded in time
installation.py   this machine: settings, packages, files, ports, passwords, private servers
mongodb.py, redis_servers.py   the servers
wrong_settings.py   the settings as they are given, and the defaults to go on with
fleet.py   the programs: workers, beat, streamers, API
provider.py   TradingView
"""

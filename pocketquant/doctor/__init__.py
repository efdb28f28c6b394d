"""`pocketquant doctor`: what is wrong with an installation, and how to mend it.

findings.py   what a check says, and how checks are run side by side, each bounded in time
installation.py   this machine: settings, packages, files, ports, passwords, private servers
mongodb.py, redis_servers.py   the servers
fleet.py   the programs: workers, beat, streamers, API
provider.py   TradingView
"""

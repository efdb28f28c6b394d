"""The commands of `pocketquant`, a file for each thing they are about.

asking       options and output that commands share
syncing      sync, bulk
bars         bars, export, import
symbols      search, symbols
jobs         jobs
schedules    schedules
watching     watch
programs     up, demo, and each process by itself
completion   completion
"""

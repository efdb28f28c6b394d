"""The commands of `pocketquant`.

syncing       sync, bulk
bars          bars, export, import
symbols       search, symbols
jobs          jobs
schedules     schedules
watching      watch
calendars     calendar
programs      up, demo, and each process by itself
keys          keys
completion    completion

options       shared options, the API client, completion by the API
output        tables, JSON, notes on stderr
symbol_lists  reads files of symbols
bar_files     reads CSV and Parquet files of bars
"""

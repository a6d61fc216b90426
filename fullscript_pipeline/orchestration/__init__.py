"""The only room that imports Dagster: resources, partitions, assets, jobs, schedules, sensors, runs without the UI.

What does not belong here: anything that a notebook or the command line needs without Dagster. Assets and sensors are
thin around plain functions of the other rooms.
"""

"""The one Dagster room: resources, partitions, assets, jobs, schedules, sensors, and running a job without the UI.

What does not belong here: anything that a notebook or the command line would want without Dagster; assets and sensors
are thin around plain functions of the other rooms.
"""

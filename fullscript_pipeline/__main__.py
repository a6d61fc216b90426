"""`python -m fullscript_pipeline`: the same as the console script."""

from fullscript_pipeline.cli.main import main

main()

"""Run the `pocketquant` command as `python -m pocketquant`."""

from pocketquant.cli import main

if __name__ == "__main__":
    main(prog_name="pocketquant")

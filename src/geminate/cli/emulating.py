"""``geminate emulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geminate.cli.report import Report


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default="geminate-emulator",
    show_default=True,
    metavar="DIR",
    help="Where jobs, buckets and tables are kept.",
)
@click.option(
    "--port", type=int, default=0, metavar="N", help="The port on 127.0.0.1; 0 takes a free one.  [default: 0]"
)
@click.option("--answerer", metavar="MODULE:FUNCTION", help="What answers instead of the built-in answerer.")
@click.option(
    "--storage-endpoint", metavar="URL", help="The Cloud Storage server that jobs use instead of its own buckets."
)
@click.option("--bigquery-endpoint", metavar="URL", help="The BigQuery server that jobs use instead of its own tables.")
@click.option("--faults", metavar="FILE", help="A fault script (YAML or JSON).")
def emulate(folder: Path, port: int, **options: Any) -> Report:
    """Serve the Vertex AI emulator on 127.0.0.1.

    It runs in the foreground. It is no model: answers are made up, and nothing is paid. A gs:// URI is a file below
    DIR/buckets. Objects and BigQuery's tables are served too, to clients with STORAGE_EMULATOR_HOST or
    BIGQUERY_EMULATOR_HOST set to its URL.
    """
    from geminate.emulator import EmulatorOptions, serve

    serve(
        folder,
        EmulatorOptions(port=port, **options),
        announce=lambda text: click.echo(text, err=True),
    )
    return Report(None)

"""`cnnfilter pool`."""

from typing import Any

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.operations import pool_options, refuse_two_sizes
from cnnfilter.cli.options import Shared, shared_options

EXAMPLES = """\b
Examples:
  cnnfilter pool img.png --size 4
  cnnfilter pool img.png --kind avg --size 3 --stride 2 --padding 1
  cnnfilter pool "photos/*.jpg" --global --kind avg -o means/"""


@click.command(cls=Command, epilog=EXAMPLES)
@pool_options
@shared_options
def pool(shared: Shared, kind: str, size: str, is_global: bool, **options: Any) -> int:
    """Pool images: the maximum, minimum or mean of windows, channel by channel.

    INPUT is image files, folders, quoted patterns such as "*.png", or - for standard input.
    """
    from cnnfilter.batch.settings import Step
    from cnnfilter.cli.run import execute
    from cnnfilter.core.geometry import pair
    from cnnfilter.model.filters import Pool
    from cnnfilter.model.pipeline import Pipeline

    refuse_two_sizes(click.get_current_context())
    size = "all" if is_global or size.lower() == "all" else size
    layer = Pool(kind, size, **options)
    label = f"{kind}-all" if size == "all" else kind + "x".join(map(str, pair(size, "size")))
    return execute([Step("pool", label, Pipeline((layer,), name="pool"))], shared)

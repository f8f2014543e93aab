"""What MkDocs does besides: add the pages that are made of other files, and mend links for their places in the site."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from pipelines.documenting.site import pages, with_links
from pipelines.results import documentation

ROOT = Path(__file__).resolve().parent.parent
MARKER = re.compile(r"^<!-- .+? -->\n", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made of other files."""
    for name, text in pages(documentation(ROOT)).items():
        files.append(File.generated(config, name, content=MARKER.sub("", text)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The text of a page of docs/ with the links of the site."""
    return MARKER.sub("", markdown if page.file.generated_by else with_links(markdown, "docs", ROOT))

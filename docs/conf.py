"""Settings of Sphinx, for ``nox -s docs``."""

from paygate import __version__

project = "paygate"
author = "The paygate maintainers"
copyright = "The paygate maintainers"  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "smartquotes"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "paygate"

"""The explorer of the report: all cells and runs of an experiment, packed into its page, and what draws them there.

`packing` says how numbers are stored, `index` and `cells` what is stored, `library` what draws the charts, and `block`
puts them together for the report. This module is light: the Snakefile reads the names of the page's sources from it.
"""

FOLDER = "explorer"  # below the folder of the page's sources
TEMPLATE = f"{FOLDER}/template.html.j2"
STYLE = f"{FOLDER}/style.css"
# Parts of one script, in this order: each uses what those before it define.
SCRIPTS = tuple(
    f"{FOLDER}/{name}.js"
    for name in (
        "words",
        "packed",
        "view",
        "save",
        "charts",
        "drawings",
        "map",
        "controls",
        "cell",
        "comparison",
        "start",
    )
)
SOURCES = (TEMPLATE, STYLE, *SCRIPTS)

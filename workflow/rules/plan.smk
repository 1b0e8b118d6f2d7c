# Needs: the merged configuration. Promises: a checked plan, or one message with every mistake before any job
# starts; results/tables/plan.csv, a row per cell; results/tables/config.json, the configuration with all defaults;
# plan.json, which describes both. Every rule has such a manifest, by which its files are checked when they are read.
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError

from trainability import claims
from trainability import config as configuration
from trainability import files, plan, provenance, workers

try:
    for file in workflow.configfiles:
        configuration.parsed(Path(file))  # Snakemake's reader admits what this one refuses, and keeps the last of two
    SETTINGS = configuration.read(config)
    PLAN = plan.make_plan(SETTINGS)
    # The statements to judge: the textbook's, and those of the user.
    claims.gather(SETTINGS, PLAN, Path(workflow.basedir) / "report/claims.yaml")
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None

if os.path.lexists("results") and not os.path.isdir("results"):
    raise WorkflowError(f"{os.path.abspath('results')} is a file or a broken link, and a folder should be there")

# How this experiment is run, for the commands that the report prints.
OVERRIDES = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
COMMAND = shlex.join(["snakemake", *(["--configfile", *OVERRIDES] if OVERRIDES else [])])

CELLS = plan.included(PLAN)
DATASETS = {cell.dataset.slug: cell.dataset for cell in CELLS.values()}
SOURCES = {slug: SETTINGS.sources.get(dataset.name, "") for slug, dataset in DATASETS.items()}
PREPROCESSINGS = {cell.preprocessing.slug: cell.preprocessing for cell in CELLS.values()}


wildcard_constraints:
    cell=r"[^/]+-[0-9a-f]{8}",  # an alternation of all keys would be searched once per file, ten thousand times over
    dataset="|".join(map(re.escape, DATASETS)),
    preprocessing="|".join(map(re.escape, PREPROCESSINGS)),


rule plan:
    output:
        table="results/tables/plan.csv",
        config="results/tables/config.json",
        manifest="results/tables/plan.json",
    log:
        "results/logs/plan.log",
    localrule: True
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        config=lambda wildcards: SETTINGS.model_dump_json(),  # not the text, in which {name} would be a wildcard
        code=provenance.code_fingerprint("plan"),
    run:
        plan.write(PLAN, SETTINGS, Path(output.table), Path(output.config), Path(log[0]))

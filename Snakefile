# The workflow as a table of contents: configuration -> plan -> data -> training -> analysis -> report.
from pathlib import Path

from snakemake.logging import logger
from snakemake.utils import min_version

from trainability import locks, spares, timestamps

min_version("9.14")


configfile: workflow.source_path("config.yaml")


# What `snakemake --report` says first.
report: "report/workflow.rst"


# So that nobody has to type --unlock after a kill. A job on another machine holds nothing: its snakemake does.
if not workflow.remote_exec and locks.hold(Path(".snakemake"), alone=workflow.nodes is None):
    logger.info("A snakemake was killed here and left the folder locked; the lock is removed.")


include: "workflow/rules/plan.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/analyses.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.claims.output,
        # Snakemake makes nothing that only an up-to-date report would need; what was deleted is wanted itself, but for
        # data, which make all cells out of date when they are made anew.
        rules.plan.output,
        rules.tables.output,
        rules.tables.input.records,
        rules.claims.input.analyses,
        expand(rules.figure.output, figure=figures.FIGURES),


onstart:
    try:
        files.refuse_unwritable(Path("results"))
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}") from None
    spares.tidy(Path("results"))
    if timestamps.bring_back(Path("results")):
        logger.info("Files in results/ were from the future, made while the clock was ahead; they are of now.")


onsuccess:
    spares.tidy(Path("results"))
    if Path("results/report.html").exists():
        print(f"The report: {Path('results/report.html').resolve()}")


onerror:
    groups = [failed.jobs if failed.is_group() else [failed] for failed in workflow.scheduler.failed]
    cells = [CELLS[job.wildcards.cell] for group in groups for job in group if job.rule.name == "train"]
    if back := spares.bring_back(cells, Path("results"), SETTINGS.device):
        print(f"{back} cells of jobs that failed had been trained; their records are back.")
    print("Some jobs failed; what is done is kept, and the next snakemake goes on from here.")
    print("`snakemake report_partial` reports on what is done, and on the jobs that failed.")

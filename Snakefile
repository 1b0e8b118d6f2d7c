# The workflow as a table of contents: configuration -> plan -> data -> training -> analysis -> report.
from snakemake.utils import min_version

min_version("9.14")


configfile: workflow.source_path("config.yaml")


# What `snakemake --report` says first.
report: "report/workflow.rst"


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


onsuccess:
    if Path("results/report.html").exists():
        print(f"The report: {Path('results/report.html').resolve()}")


onerror:
    print("Some jobs failed; what is done is kept, and the next snakemake goes on from here.")
    print("`snakemake report_partial` reports on what is done, and on the jobs that failed.")

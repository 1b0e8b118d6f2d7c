# Needs: nothing but the configuration. Promises: results/analyses/, a table and its origin for every analysis, the
# claims whose numbers need no training.
ANALYSES = {name: analysis for name, analysis in SETTINGS.analyses.items() if analysis is not None}


rule analyse:
    output:
        table="results/analyses/{analysis}.csv",
        origin="results/analyses/{analysis}.json",
    log:
        "results/logs/analyse/{analysis}.log",
    wildcard_constraints:
        analysis="|".join(ANALYSES) or "(?!)",
    # What needs all cores goes first: later they fall free one at a time, and others are let in before it.
    priority: lambda wildcards: int(ANALYSES[wildcards.analysis].exclusive)
    conda:
        "../envs/trainability.yaml"
    # One thread computes, but what measures time takes all cores, so that no other job of the workflow runs beside it.
    threads: lambda wildcards: workflow.cores if ANALYSES[wildcards.analysis].exclusive else 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        analysis=lambda wildcards: ANALYSES[wildcards.analysis].model_dump_json(),
        code=provenance.code_fingerprint("analyses"),
        torch=provenance.version("torch"),
    run:
        workers.run(
            "analyse",
            wildcards.analysis,
            analysis=params.analysis,
            out=Path(output.table).parent,
            log=log,
        )

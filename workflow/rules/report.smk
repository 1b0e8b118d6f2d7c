rule report:
    input:
        rules.tables.output,
    output:
        "results/report.html",
    run:
        pass

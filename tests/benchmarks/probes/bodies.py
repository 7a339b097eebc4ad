"""The work of a step, without sinagot: what scripts, loops and Dask tasks of the benchmarks do."""


def work(source, target):
    with open(source) as file:
        text = file.read()
    with open(target, "w") as file:
        file.write(text.upper())


def burn(source, target):
    with open(source) as file:
        loops = int(file.read())
    total = 0
    for number in range(loops):
        total += number * number
    with open(target, "w") as file:
        file.write(str(total))

"""luigi, one task a step, the scheduler in this process: FOLDER."""

import sys

import luigi
from bodies import work
from chains import prepare

DATA = f"{sys.argv[1]}/dataset"


class Raw(luigi.ExternalTask):
    name = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(f"{DATA}/raw/{self.name}")


class First(luigi.Task):
    name = luigi.Parameter()

    def requires(self):
        return Raw(self.name)

    def output(self):
        return luigi.LocalTarget(f"{DATA}/first/{self.name}")

    def run(self):
        work(self.input().path, self.output().path)


class Second(First):
    def requires(self):
        return First(self.name)

    def output(self):
        return luigi.LocalTarget(f"{DATA}/second/{self.name}")


if __name__ == "__main__":
    tasks = [Second(name) for name in prepare(DATA)]
    if not luigi.build(tasks, local_scheduler=True, workers=1, log_level="ERROR", no_lock=True):
        raise SystemExit("luigi failed")

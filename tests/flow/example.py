"""The example of the specification, as a program: its loop is the first argument, options of the supervisor the second."""

EXAMPLE = """
import ast, sys
from collections.abc import AsyncIterator
from typing import Annotated, Any
import anyio
from sinagot.flow import Depends, IO, IOVal, LocalExecutor, Flow, Supervisor, Processor

def get_multiplier():
    return 2

foobar = Processor(name="foobar", inputs=["foo"], outputs=["bar"])

@foobar
async def _foobar(foo: IO[int], multiplier: Annotated[int, Depends(get_multiplier)]) -> AsyncIterator[IOVal[int]]:
    foo_val = await foo.first()
    for i in range(foo_val):
        yield IOVal(name="bar", value=i * multiplier)

async def main():
    flow = Flow.from_tasks(foobar)
    flow.resolve()
    result: dict[str, IO[Any]] = await Supervisor.instance.start_flow(flow, inputs=[IOVal(name="foo", value=5)])
    async for val in result["bar"].stream():
        print(val)

Supervisor.attach(executor=LocalExecutor(), **ast.literal_eval(sys.argv[2]))
anyio.run(main, backend=sys.argv[1])
"""

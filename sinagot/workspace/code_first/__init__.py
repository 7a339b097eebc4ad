"""The surface of workflows as classes: data on demand, batches, futures, and the blueprint of their nodes.

Knows nodes (`sinagot.workflow`) and how they are run (`sinagot.workspace.running`); must not know scripts' files.
A workspace class that is bound to a workflow class has all of it through `sinagot.workspace.code_first.bound`.
"""

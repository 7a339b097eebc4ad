"""Streams in a Redis server, for processors in different services and on different machines.

Knows the layout of keys, the connection and what is to be done when the server fails; must not know processors.
`store` is the front, which keeps the contract of `sinagot.flow.store`; the package redis is imported in `line` only.
"""

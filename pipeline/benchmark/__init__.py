"""The pipeline against the network alone.

benchmark  the story
workers    the bare network, and the figures of each process
report     table and JSON"""

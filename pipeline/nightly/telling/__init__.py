"""What people and programs are told of a night.

summary     lines for the terminal, Markdown for people, JSON for programs
alarms      what is new since people were told last, and what is over
metrics     a text file for Prometheus
hooks       commands and addresses that are told, without a shell and within a minute
secrets     words that stand in the environment or in a file that others cannot read
"""

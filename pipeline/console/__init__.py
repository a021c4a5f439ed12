"""What a person sees.

progress   how far a run is
watch      counts it, and tells a terminal, the log, or a function
screen     the live lines on a terminal
closing    the table at its end
log        lines on stderr, JSON lines in logs/
streams    stdout and stderr that may go away
signals    Ctrl-C, and a terminal that is closed
printable  text from outside, made safe to show"""

"""What a person sees.

progress   bars on a terminal, plain lines elsewhere
log        lines on stderr, JSON lines in logs/
streams    stdout and stderr that may go away
signals    Ctrl-C, and a terminal that is closed
printable  text from outside, made safe to show"""

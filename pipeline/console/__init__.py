"""What a person sees.

progress   bars on a terminal, plain lines elsewhere
log        lines on stderr, JSON lines in logs/
printable  text from outside, made safe to show"""

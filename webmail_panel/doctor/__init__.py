"""What `manage.py doctor` looks at: each module asks one part, pure `judge_…` functions say what the answer means."""

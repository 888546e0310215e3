"""What runs on an EC2 instance of the cluster; nothing here is imported anywhere else.

- `fleet`: the Auto Scaling groups, as the scaler sees a fleet.
- `registered`: preload of scheduler and workers: who has come, for whoever waits for it.
- `watch`: one for each host: ends the workers before their instance goes.
"""

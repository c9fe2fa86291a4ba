"""What each path answers. Who may ask and what they may say is in the table of ``query_api.routes``."""

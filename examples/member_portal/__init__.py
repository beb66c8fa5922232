"""A site with a member portal and a desk, and the story of a member, end to end."""

"""Our agent as an agent of BrowserGym and AgentLab studies; docs/browsergym.md."""

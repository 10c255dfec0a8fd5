"""Whether two outputs, or two features, agree under the policy, and how sure that is."""

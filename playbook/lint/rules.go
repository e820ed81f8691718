package lint

// Rules returns what lint knows, in the order of the identifiers. An identifier never changes and is never used again.
func Rules() []Rule {
	return []Rule{
		{
			ID: "L001", Name: "child recovers later than its parent", Severity: Risk, check: childRTO,
			Why:  "a service cannot be back before the critical services that it needs; its promise is not achievable",
			Hint: "shorten the RTO of the child, or lengthen that of the parent",
		},
		{
			ID: "L002", Name: "child loses more than its parent may", Severity: Risk, check: childRPO,
			Why:  "data that a needed service may lose is lost for its parent too",
			Hint: "shorten the RPO of the child, or lengthen that of the parent",
		},
		{
			ID: "L003", Name: "severity does not fit the RTO", Severity: Risk, check: severityAgainstRTO,
			Why:  "people hurry by the severity; when scale and objective disagree, one of them is not meant",
			Hint: "change the severity or the RTO, or state another scale under severities",
		},
		{
			ID: "L004", Name: "scenario promises less than its service", Severity: Risk, check: scenarioAgainstService,
			Why:  "an exercise that meets the scenario's objective would still break the service's",
			Hint: "use the stricter of the two objectives in both places",
		},
		{
			ID: "L005", Name: "non-critical dependency without threshold", Severity: Risk, check: noThreshold,
			Why:  "nobody can tell when the loss of a tolerated dependency begins to hurt",
			Hint: "add tolerates, for example tolerates: {for: 15m, level: pages are twice as slow}",
		},
		{
			ID: "L006", Name: "criticality is unknown", Severity: Risk, check: unknownCriticality,
			Why:  "a dependency that nobody has judged fails at the worst time",
			Hint: "plan a test: take it away in a non-production exercise and write down what happens",
		},
		{
			ID: "L007", Name: "critical service without objective", Severity: Risk, check: noObjective,
			Why:  "without an RTO nobody can say whether a recovery was fast enough",
			Hint: "add rto, for example rto: 12h",
		},
		{
			ID: "L008", Name: "standby in the zone of its primary", Severity: Risk, check: standbyZone,
			Why:  "one failure takes both",
			Hint: "move the standby to another zone",
		},
		{
			ID: "L009", Name: "service without observability", Severity: Risk, check: noObservability,
			Why:  "who is called cannot see what the service does",
			Hint: "add observability with the places of metrics, logs or dashboards",
		},

		{
			ID: "L101", Name: "hours without a lead", Severity: Risk, check: uncoveredHours,
			Why:  "a failure in these hours waits until somebody is back, and the RTO runs",
			Hint: "add a lead who is on call, or widen available",
		},
		{
			ID: "L102", Name: "lead without deputy", Severity: Risk, check: noDeputy,
			Why:  "the recovery hangs on one person",
			Hint: "add leads.secondary, another person",
		},
		{
			ID: "L103", Name: "lead cannot be reached", Severity: Risk, check: unreachableLead,
			Why:  "nobody can call a lead without a telephone number or an address",
			Hint: "add phone, and email",
		},
		{
			ID: "L104", Name: "nobody holds a role of the agreement", Severity: Risk, check: missingRole,
			Why:  "the agreement can never be complete, and stage 1 needs it",
			Hint: "add the role to a person's roles",
		},
		{
			ID: "L105", Name: "lead without hours", Severity: Risk, check: noHours,
			Why:  "nobody can tell whether a lead will answer at night",
			Hint: `add available, for example available: "Mon-Fri 09:00-17:00", or on-call`,
		},

		{
			ID: "L201", Name: "critical dependency without scenario", Severity: Risk, check: noScenario,
			Why:  "when it fails there is no playbook to recover it",
			Hint: "write scenarios/<service>-failure.yaml that covers it",
		},
		{
			ID: "L202", Name: "scenario without fault", Severity: Risk, check: noFault,
			Why:  "it cannot be exercised automatically: somebody must break the service by hand",
			Hint: "add fault, for example fault: {process: {kill: {pid_file: ...}}}",
		},
		{
			ID: "L203", Name: "reversal of a fault that cannot be taken back", Severity: Blocker, check: reversalOfOneShot,
			Why:  "a killed process does not come back by itself, so the exercise could never pass",
			Hint: "set recovers_by: procedure, or use a fault that ends",
		},

		{
			ID: "L301", Name: "literal address or identifier", Severity: Risk, check: literals,
			Why:  "the thing it names is gone when it has failed; the one that replaces it has another name",
			Hint: "put it into the vars of the environment, or capture it in an earlier step and write ${name}",
		},
		{
			ID: "L302", Name: "resume procedure does nothing", Severity: Risk, check: emptyResume,
			Why:  "after a failover the standby is gone; until it is rebuilt the next failure has no recovery",
			Hint: "add the steps back to normal service, with a check that it is protected again",
		},
		{
			ID: "L303", Name: "captured value used before it is set", Severity: Blocker, check: unsetCapture,
			Why:  "on that branch the step would run without the value",
			Hint: "capture the value on every branch that leads here, or jump past the step",
		},
		{
			ID: "L304", Name: "step that is never reached", Severity: Risk, check: unreachableStep,
			Why:  "people read it in an outage, and it is never done",
			Hint: "remove it, or let a step or an option go to it",
		},
		{
			ID: "L305", Name: "action without a look at its result", Severity: Risk, check: unchecked,
			Why:  "a command that ends well has not always worked",
			Hint: "add expect to the step or to the action, or a check step after it",
		},
		{
			ID: "L306", Name: "step without an actor", Severity: Risk, check: noActor,
			Why:  "a decision that cannot be taken back waits for somebody whom nobody has named",
			Hint: "add by, with a role or a person",
		},
		{
			ID: "L307", Name: "vague instruction", Severity: Risk, check: vague,
			Why:  "what is not written is not done: two people would do two things",
			Hint: "write what to do, where, and how to see that it worked",
		},
		{
			ID: "L308", Name: "action without binding", Severity: Risk, check: unbound,
			Why:  "the scenario cannot be exercised in that environment",
			Hint: "add the environment to the action, with run, shell, manual or check",
		},
		{
			ID: "L309", Name: "test procedure without a check", Severity: Blocker, check: testWithoutCheck,
			Why:  "the exercise would pass on nothing",
			Hint: "add a check, for example {id: works, check: {http: {url: ...}}}",
		},
		{
			ID: "L310", Name: "step of no return without backout", Severity: Risk, check: noBackout,
			Why:  "who stops after it has nothing to follow",
			Hint: "add a backout procedure to the scenario",
		},

		{
			ID: "L401", Name: "covered service without probe", Severity: Blocker, check: noProbe,
			Why:  "an outage that nobody watches cannot be measured",
			Hint: "add probes, for example probes: {home: {http: {url: ...}}}",
		},
		{
			ID: "L402", Name: "RPO without canary", Severity: Risk, check: noCanary,
			Why:  "loss can only be claimed, and a claimed RPO is never met",
			Hint: "add canary to a service that writes the data",
		},
		{
			ID: "L403", Name: "probes too slow for the objective", Severity: Risk, check: slowProbes,
			Why:  "the bounds of the outage would be wide against the objective, and the verdict open",
			Hint: "shorten measure.period or measure.timeout of the environment",
		},

		{
			ID: "L501", Name: "production without identity", Severity: Risk, check: noIdentity,
			Why:  "nothing tells a command that it runs in the wrong account",
			Hint: "add identity, for example identity: {aws_account: ..., region: ...}",
		},
		{
			ID: "L502", Name: "production without approvals", Severity: Risk, check: noApprovals,
			Why:  "one person alone could break production on purpose",
			Hint: "add approvals, for example approvals: {count: 1, roles: [operations]}",
		},
	}
}

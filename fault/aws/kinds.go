package aws

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"aws": func() fault.Config { return new(AWS) }}
}

// Capabilities says which of them can be made from here: whether credentials are configured. It asks nobody anything; a
// plan does.
func Capabilities(ctx context.Context) []fault.Capability {
	why := ""
	if err := (&site{Region: "us-east-1"}).atHand(ctx); err != nil {
		why = err.Error()
	}
	out := []fault.Capability{
		{Fault: "aws.ec2.stop", Class: fault.Restore, Fidelity: fault.Host, Mechanism: "EC2 StopInstances", Effect: "instances are stopped, and started again afterwards"},
		{Fault: "aws.ec2.reboot", Class: fault.OneShot, Fidelity: fault.Host, Mechanism: "EC2 RebootInstances", Effect: "instances reboot"},
		{Fault: "aws.ec2.terminate", Class: fault.OneShot, Fidelity: fault.Host, Mechanism: "EC2 TerminateInstances", Effect: "instances are gone for good"},
		{Fault: "aws.rds.reboot", Class: fault.OneShot, Fidelity: fault.Zone, Mechanism: "RDS RebootDBInstance or FailoverDBCluster", Effect: "a database reboots or fails over"},
		{Fault: "aws.fis.start", Class: fault.SelfEnding, Fidelity: fault.Host, Mechanism: "FIS experiment", Effect: "an experiment template runs, and is stopped with the fault"},
		{Fault: "aws.s3.deny", Class: fault.Restore, Fidelity: fault.Data, Mechanism: "S3 bucket policy", Effect: "a bucket, or what is below a prefix, is denied to others"},
		{Fault: "aws.route53.record", Class: fault.Restore, Fidelity: fault.Network, Mechanism: "Route 53 ChangeResourceRecordSets", Effect: "a record has other values or another weight"},
		{Fault: "aws.route53.health_check", Class: fault.Restore, Fidelity: fault.Network, Mechanism: "Route 53 UpdateHealthCheck", Effect: "a health check is disabled or inverted"},
	}
	for n := range out {
		out[n].Needs = []string{"AWS credentials"}
		out[n].Here, out[n].Why = why == "", why
	}
	return out
}

// Package awstest is an AWS for tests: a server that speaks the wire protocols of AWS by the service models that AWS
// publishes, and behind it a small simulation of instances, databases, experiments and records.
//
// It invents no shape. A request is decoded by the model's input shape and refused when it has a member that the model
// does not know or lacks one that the model requires; an answer is encoded by the output shape, and a simulation that
// answers with something else fails the test. The models are read at run time from Debian's package python3-botocore;
// nothing of them is copied here. S3 is not simulated: its requests are handed on to a real server.
//
// Start at Server.
package awstest

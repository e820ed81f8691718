package kubernetes

import (
	"os"
	"strings"
)

// ownPlace is the namespace and the name of the pod that we run in; both are empty outside a cluster.
func ownPlace() (namespace, pod string) {
	if os.Getenv("KUBERNETES_SERVICE_HOST") == "" {
		return "", ""
	}
	if namespace = os.Getenv("POD_NAMESPACE"); namespace == "" {
		b, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		namespace = strings.TrimSpace(string(b))
	}
	if pod = os.Getenv("POD_NAME"); pod == "" {
		pod, _ = os.Hostname()
	}
	return namespace, pod
}

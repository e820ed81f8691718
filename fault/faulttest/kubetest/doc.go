// Package kubetest runs a real Kubernetes control plane for tests: etcd, API server, controller manager and scheduler,
// and kwok, which plays the nodes of two zones. Everything about the API is real; no container ever runs.
//
// A package that uses it calls Main from its TestMain, and Start where it wants the cluster. One cluster serves the whole
// test binary. It lives in a process of its own that ends, with all it started, when the test binary does, however that
// comes. The programs are built once by tools/kubernetes/build.
package kubetest

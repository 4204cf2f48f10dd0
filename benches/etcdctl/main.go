// The etcdctl to test with: the release named in go.mod, through its own entry point.
package main

import "go.etcd.io/etcd/etcdctl/v3/ctlv3"

func main() { ctlv3.MustStart() }

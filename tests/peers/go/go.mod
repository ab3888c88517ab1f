module meterseal.example/tests/peers/go

go 1.25.0

// The checksum database vouches for gotlcp when it is fetched; go.sum holds what it needs.
require (
	gitee.com/Trisia/gotlcp v1.5.0
	github.com/emmansun/gmsm v0.44.0
)

require golang.org/x/crypto v0.53.0 // indirect

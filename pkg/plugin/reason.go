package plugin

import "github.com/boson-project/boson/pkg/photon"

// LeaveReason says why an actor left (plugins.md 4.4).
type LeaveReason = photon.LeaveReason

// RemoveReason says why a plugin removed an actor; it is kept with the list of
// users who may not come back (plugins.md 7.4).
type RemoveReason byte

// The reasons.
const (
	Kick           RemoveReason = 0
	Banned         RemoveReason = 1
	GloballyBanned RemoveReason = 2
)

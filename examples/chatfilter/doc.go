// Package chatfilter is a room plugin that looks at chat before anybody reads
// it: a limit of messages per actor, a limit of length, and a list of words that
// are masked or refused. It shows how a plugin refuses one kind of event, tells
// the sender why, and costs nothing for all the others.
//
// # For clients
//
// Chat is the event with code [EvChat] (setting: event) whose content is a
// string. What passes is relayed as ever. What does not is answered with a
// response to RaiseEvent: return code 32752 (PluginReportedError), a message for
// people, and parameter [ParamReason] for programs.
//
//	// C#
//	public void OnOperationResponse(OperationResponse r) {
//	    if (r.OperationCode == OperationCode.RaiseEvent && r.ReturnCode == ErrorCode.PluginReportedError)
//	        chat.ShowNotice(r.DebugMessage);
//	}
//
// # For operators
//
//	plugins:
//	  apps:
//	  - app_id: "*"
//	    factory: builtin:chatfilter
//	    config:
//	      words: "darn, heck"  # none by default
//	      action: mask         # or refuse
//	      messages: "5"        # of one actor ...
//	      per: 10s             # ... within this time
//	      max_length: "200"    # characters
//	      event: "10"
//
// # How it works
//
//   - Filter names one hook and one event code, so the room asks the plugin about
//     chat alone: positions, shots and all else take the way without plugin.
//   - OnRaiseEvent decides once: Fail, or SetData and Continue.
//   - The actors' counts are plain fields. All of a room runs on its fiber, one
//     thing after the other, so there is nothing to lock.
//   - CheckConfig finds a bad setting when the server starts, not when the first
//     player wants a room.
package chatfilter

/** What went wrong, for people. */
import { ConecError } from "conec";

/**
 * @param {unknown} problem an error, or why the lobby says that an offer is over
 * @param {string} who the other one
 */
export function inWords(problem, who) {
  const message = problem instanceof Error ? problem.message : String(problem);
  const isCancel = message === "cancelled";
  switch (kindOf(problem)) {
    case "declined":
      return `${who} does not want it`;
    case "withdrawn":
      return `${who} took the offer back`;
    case "aborted":
    case "cancelled":
      return isCancel ? `${who} cancelled` : `${who} stopped: ${message}`;
    case "gone":
    case "peer-lost":
      return `${who} is gone`;
    case "closed":
      return isCancel ? `${who} cancelled` : message;
    case "refused":
      return "The Coordinator does not let this through";
    case "connection-lost":
      return "The Coordinator is gone";
    case "unreachable":
    case "timeout":
      return "The Coordinator does not answer";
    case "unsupported":
      return `This browser lacks what is needed: ${message}`;
    case "NotFoundError":
    case "NotReadableError":
      return "The file cannot be read any more";
    default:
      return message;
  }
}

/** @param {unknown} problem */
function kindOf(problem) {
  if (problem instanceof ConecError) return problem.code;
  return problem instanceof Error && problem.name !== "Error" ? problem.name : String(problem).replace(/^Error: /, "");
}

import { messages } from "./messages.ts";
import { paths } from "./paths.ts";

paths.forEach(messages);

// Starts the page.
import "./app";
import { live } from "./live";

document.documentElement.dataset.link = "connecting";
live.start();

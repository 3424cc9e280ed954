import { createRootRoute, HeadContent, Link, Outlet, Scripts } from "@tanstack/react-router";

export const Route = createRootRoute({
  component: () => (
    <html lang="en">
      <head>
        <HeadContent />
      </head>
      <body>
        <nav>
          <Link to="/">home</Link> <Link to="/login">login</Link> <Link to="/stream">stream</Link> <Link to="/large">large</Link>
        </nav>
        <Outlet />
        <Scripts />
      </body>
    </html>
  ),
});

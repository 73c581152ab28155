/* mouse.h: a click on the screen: a panel, a row, a tab, the nearest point. */
#ifndef PARE_MOUSE_H
#define PARE_MOUSE_H

struct pare_ui;
void pare_ui_click(struct pare_ui *ui, int x, int y);

#endif

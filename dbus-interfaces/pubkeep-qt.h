// SPDX-License-Identifier: MIT
// What QtDBus cannot guess from the XML: qdbusxml2cpp -i pubkeep-qt.h ...
// Register once: qDBusRegisterMetaType<PubkeepItem>(); qDBusRegisterMetaType<PubkeepItems>();
// qDBusRegisterMetaType<PubkeepMaps>(); qDBusRegisterMetaType<PubkeepStrings>();
#pragma once

#include <QDBusArgument>
#include <QList>
#include <QMap>
#include <QString>
#include <QVariantMap>

struct PubkeepItem {
    QString uri, account, service, node, id, type, title;
    qlonglong published = 0, updated = 0; // microseconds since the Unix epoch, 0 = unknown
    QString publisher, xml, json;
    QVariantMap extra;
};
Q_DECLARE_METATYPE(PubkeepItem)
using PubkeepItems = QList<PubkeepItem>;
Q_DECLARE_METATYPE(PubkeepItems)
using PubkeepMaps = QList<QVariantMap>;
Q_DECLARE_METATYPE(PubkeepMaps)
using PubkeepStrings = QMap<QString, QString>;
Q_DECLARE_METATYPE(PubkeepStrings)

inline QDBusArgument &operator<<(QDBusArgument &out, const PubkeepItem &i)
{
    out.beginStructure();
    out << i.uri << i.account << i.service << i.node << i.id << i.type << i.title << i.published << i.updated
        << i.publisher << i.xml << i.json << i.extra;
    out.endStructure();
    return out;
}

inline const QDBusArgument &operator>>(const QDBusArgument &in, PubkeepItem &i)
{
    in.beginStructure();
    in >> i.uri >> i.account >> i.service >> i.node >> i.id >> i.type >> i.title >> i.published >> i.updated
        >> i.publisher >> i.xml >> i.json >> i.extra;
    in.endStructure();
    return in;
}
